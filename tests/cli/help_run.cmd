potstill run --help
