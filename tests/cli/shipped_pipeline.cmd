potstill plan quickstart 2>&1 | sed 's|pipeline /.*/|pipeline |'
potstill plan quickstrat
echo potstill: 1 >mine.yaml
potstill plan mine.yml
