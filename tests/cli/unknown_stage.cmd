printf 'potstill: 1\nname: x\nstages:\n  - distil: {}\n' >p.yaml
potstill run p.yaml
