potstill dataset show gsm8k/tset
