potstill new --help
