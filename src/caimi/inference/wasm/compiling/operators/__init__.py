"""C statements that compute operators by the kernels in `kernels/caimi_operators.h`."""
