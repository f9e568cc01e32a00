"""Many processes that train one model, on MPI."""
