printf 'potstill: 1\nname: [x\n' >p.yaml
potstill check p.yaml
