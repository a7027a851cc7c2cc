potstill trace list x.db
potstill list traces
potstill traces vrify x.db
potstill dataset shw
potstill quickstart
potstill help dataset
potstill traces hash -h
potstill traces list /
