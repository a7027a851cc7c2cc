cp -r "$FILES/../golden/models/qwen3" model
sed -i 's/"qwen3"/"mamba"/' model/config.json
potstill model info model
