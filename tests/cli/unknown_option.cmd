potstill plan --limt 5 x.yaml
