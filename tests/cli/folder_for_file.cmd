mkdir folder && potstill run folder
