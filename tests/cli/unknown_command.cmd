potstill pln x.yaml
