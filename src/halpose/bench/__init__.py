"""What a machine can do: steps timed in turn, memory weighed, and the floor that its matrix products set.

`timing` times alternatives in turn; `overhead` is Table 4; `floor` counts operations and measures the machine's rate;
`workload` makes recordings of NTU's shape; `card` puts all of it on one page; `growth` says how cost grows.
"""
