potstill plan
