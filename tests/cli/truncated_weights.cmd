cp -r "$FILES/../golden/models/qwen3" model
head -c 1000 "$FILES/../golden/models/qwen3/model.safetensors" >model/model.safetensors
potstill model info model; echo "exit code $?"
head -c 5 "$FILES/../golden/models/qwen3/model.safetensors" >model/model.safetensors
potstill ask model "why?"; echo "exit code $?"
head -c -4 "$FILES/../golden/models/qwen3/model.safetensors" >model/model.safetensors
potstill model score model --jsonl; echo "exit code $?"
printf '\377\377\377\377\377\377\377\177{}' >model/model.safetensors
potstill model info model
