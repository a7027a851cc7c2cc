potstill --version
