potstill new first.yaml --teacher teachers/big --student small --dataset mine
cat first.yaml
potstill new first.yaml --teacher teachers/big --student small
