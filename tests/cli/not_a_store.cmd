echo hello >letter.txt
potstill traces list letter.txt; echo "exit code $?"
potstill grade letter.txt; echo "exit code $?"
potstill traces stats nowhere.db
