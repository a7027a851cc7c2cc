printf 'potstill: 1\nname: x\nmodles: {}\nstages: []\n' >p.yaml
potstill check p.yaml
