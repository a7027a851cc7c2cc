potstill fetch x.yaml
