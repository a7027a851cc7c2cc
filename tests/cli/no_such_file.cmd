potstill plan nowhere.yaml
