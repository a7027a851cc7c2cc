printf 'potstill: 1\nname: x\nstages: []\n' >p.yaml
potstill run p.yaml --set seed=-1
