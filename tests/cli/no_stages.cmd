printf 'potstill: 1\nname: x\n' >p.yaml
potstill run p.yaml; echo "exit code $?"
echo 'stages: []' >>p.yaml
potstill run p.yaml; echo "exit code $?"
: >p.yaml
potstill run p.yaml
