"""Training one model with many processes on MPI: `mpiexec -n 4 portanet train ...`.

`pip install 'portanet[mpi]'` installs mpi4py, which uses the site's MPI; without one, `pip install mpich` installs an
MPI with its `mpiexec`. It needs no option: portanet sees the launcher's environment variables. Without mpi4py they are
an error, so that a launch never becomes many separate runs. In Python every process makes the same call and gets the
same model:

    from mpi4py import MPI
    run = fit(network, x, labels, batch_size=4096, communicator=MPI.COMM_WORLD)
    if MPI.COMM_WORLD.rank == 0:
        run.save("model.safetensors")

Start such a program with `mpiexec -n 4 python -m mpi4py program.py`: then an error outside `fit` ends all processes
too. Callbacks run on every rank; `Progress` prints on rank 0 alone, and its rows per second are those of all ranks.

**Two hosts** with the same files at the same paths, here with MPICH and 16 processes each:

```text
mpiexec -hosts node1,node2 -ppn 16 -n 32 portanet train rows.csv --label y --batch-size 16384 --out runs/big
```

**Slurm**, which sends SIGTERM a minute before the time limit; the run saves itself, and the next job resumes it:

```text
#!/bin/bash
#SBATCH --nodes=2 --ntasks-per-node=16 --cpus-per-task=1 --time=04:00:00 --signal=TERM@60
test -d runs/big && more=--resume
srun --mpi=pmi2 portanet train rows.csv --label y --batch-size 16384 --out runs/big $more
```

**The same bits.** The shards of a batch (training/steps/gradient.py) are dealt to the ranks. Each rank sums one slice
of the gradient over all shards, in the order of the shards (Alltoall, add, Allgather). So model.safetensors has the
same SHA-256 on 1, 2, 3 and 4 ranks and without MPI, with threads, traced or not, and a run resumes on another number of
ranks. On a device, where a single process does not shard its batches, this holds from two ranks on; each rank takes one
device of its host, and gradients go through host memory. `--reduce fast` uses MPI's Allreduce, whose sum depends on the
number of ranks. Layers that need the whole batch, such as BatchNorm, are refused, and so is JAX, which compiles whole
runs. Ranks in excess of the shards of a batch are idle, and a note says so; larger batches and `--accumulate` make more
shards.

**Failures.** An error on one rank ends all of them within seconds, with its message. If a rank does not answer for
`--rank-timeout` (10 minutes by default, since ranks may be reading or saving), all end with a message that names it. If
a rank is killed, the launcher names it by its process id; the first line of the run lists them. Ranks that differ in
settings, data, versions, devices or kind of processor are refused before the first step, and at each row of the history
ranks compare their weights. Only rank 0 writes. A signal or a time limit on one rank stops all after the same step.

**Reading.** In a step each rank reads only the rows of its shards from a memory map, after one pass over all rows for
their fingerprint; validation is shared too. One rank of each host converts a file to a memory map. One GB of images
took 32 MB besides the program on each of 2 ranks, a quarter of it 25 MB: only the labels and the order of the rows
grow. `python scripts/ranks.py --stream 1`

**Cost** of a step in which S shards of t seconds each, with a gradient of G bytes, are dealt to R ranks:

    ceil(S / R) t  +  l R  +  b G (2 S / R + 1)          l  latency for each rank      b  time for each byte

Measured with `python scripts/ranks.py` on two cores with other load, with mpich 5.0: t = 5.7 ms for 256 rows of
784-128-10 (G = 407 kB), l = 0.12 ms, b = 0.74 ns. A step of 8 shards took 46 ms in one process, 27 on 2 ranks, and 34
on 4 ranks, which shared the two cores; its messages took 0.25 ms on 2 ranks, 1.3 on 4. Computed from these terms, not
measured:

    ranks                      8     16     32     64    128    256    512
    speed-up, S = 64         7.1   13.3   21.6   25.1   16.5    9.6    5.3
              S = 512        7.2   14.3   27.8   49.8   70.6   65.4   41.7

More ranks stop paying off at about sqrt(S (t + 2 b G) / l): 58 for S = 64, 164 for S = 512. A batch of one shard is
computed by every rank, without messages and without a gain.
"""
