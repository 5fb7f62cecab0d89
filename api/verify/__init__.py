"""`jit(f, verify=True)`: the plain function beside the compiled one."""
