"""Many processes that train one model, on MPI: `mpiexec -n 4 portanet train ...`.

`pip install 'portanet[mpi]'` brings mpi4py, which takes the MPI of the site; where there is none, `pip install mpich`
brings one, with its `mpiexec`. There is no option to switch it on: the launcher's variables do, and without mpi4py they
are an error, never as many separate runs. In Python every process makes the same call, and gets the same model:

    from mpi4py import MPI
    run = fit(network, x, labels, batch_size=4096, communicator=MPI.COMM_WORLD)
    if MPI.COMM_WORLD.rank == 0:
        run.save("model.safetensors")

Start such a program by `mpiexec -n 4 python -m mpi4py program.py`: then an error outside of `fit` ends all processes
too. Callbacks are called on every rank; `Progress` shows itself on rank 0 alone, with the rows a second of all ranks.

**Two hosts**, with the same files at the same places, here with MPICH and 16 processes each:

```text
mpiexec -hosts node1,node2 -ppn 16 -n 32 portanet train rows.csv --label y --batch-size 16384 --out runs/big
```

**Slurm**, which sends SIGTERM a minute before the time is over: the run saves itself, and the next job resumes it:

```text
#!/bin/bash
#SBATCH --nodes=2 --ntasks-per-node=16 --cpus-per-task=1 --time=04:00:00 --signal=TERM@60
test -d runs/big && more=--resume
srun --mpi=pmi2 portanet train rows.csv --label y --batch-size 16384 --out runs/big $more
```

**The same bits.** The shards of a batch (`portanet.training.gradient`) are dealt to the ranks; of each slice of the
gradient one rank adds the parts of all shards in their order (Alltoall, add, Allgather). So model.safetensors has the
same SHA-256 on 1, 2, 3 and 4 ranks and without MPI, with threads, traced or not, and a run resumes on another number of
ranks. On a device, where one process takes a batch whole, this holds from two ranks on; each takes a device of its
host, and gradients go through the host's memory. `--reduce fast` is MPI's Allreduce: its sum depends on the number of
ranks. Layers that need the whole batch, such as BatchNorm, and JAX, which compiles whole runs, are refused. Ranks
beyond the shards of a batch have nothing to do, and a note says so: larger batches have more shards, and so has
`--accumulate`.

**Failures.** What one rank raises, all end by, within seconds, with its message. A rank that does not answer for
`--rank-timeout` (10 minutes by default: some ranks may be reading, or saving) is named, and all end; one that is killed
is named by the launcher, by the process number that the first line of the run tells. Ranks with other settings, data,
versions, devices or kinds of processors are refused before the first step; at each row of the history they compare
their weights. Rank 0 alone writes. A signal or a time limit on one rank stops all after the same step.

**Reading.** Of a memory map each rank reads the rows of its shards and no others in a step, after one look through all
rows for their fingerprint; validation is shared too. A file that becomes a memory map is converted by one rank of each
host. One GB of images took 32 MB beside the program on each of 2 ranks, a quarter of it 25 MB: what grows are the
labels and the order of the rows. `python scripts/ranks.py --stream 1`

**Cost** of a step in which S shards of t seconds each, with a gradient of G bytes, are dealt to R ranks:

    ceil(S / R) t  +  l R  +  b G (2 S / R + 1)          l  messages, for each rank      b  for each byte

Measured by `python scripts/ranks.py` on two cores that were busy otherwise, with mpich 5.0: t = 5.7 ms for 256 rows of
784-128-10 (G = 407 kB), l = 0.12 ms, b = 0.74 ns. A step of 8 shards took 46 ms in one process, 27 on 2 ranks, and 34
on 4 ranks, which shared the two cores; its messages 0.25 ms on 2 ranks, 1.3 on 4. From these terms, not from a run:

    ranks                      8     16     32     64    128    256    512
    times as fast, S = 64    7.1   13.3   21.6   25.1   16.5    9.6    5.3
                   S = 512   7.2   14.3   27.8   49.8   70.6   65.4   41.7

More ranks stop paying at about sqrt(S (t + 2 b G) / l): 57 for S = 64, 161 for S = 512. A batch that is
one shard is computed by every rank, with no messages and nothing gained.
"""
