# The pipeline that `new` writes is one; the test sets, which are no part of the source, apart.
models=$(realpath "$FILES/../../examples/models")
potstill new first.yaml --teacher "$models/teacher" --student "$models/base" --dataset arith/train
potstill check first.yaml --set 'datasets.train.decontaminate=[]' --set evaluate.datasets=arith/test=1 | tail -1
