potstill status runs/nothing
