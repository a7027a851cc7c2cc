printf 'potstill: 1\nname: x\nmodels:\n  base: {pth: somewhere}\nstages: []\n' >p.yaml
potstill plan p.yaml
