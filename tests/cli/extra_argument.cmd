potstill status a b
