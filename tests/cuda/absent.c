/* absent.c - a libcuda.so.1 of long ago: it starts, and lacks almost everything. */
unsigned cuInit(unsigned flags);
unsigned cuDriverGetVersion(int *version);

__attribute__((visibility("default"))) unsigned cuInit(unsigned flags)
{
	return flags;
}

__attribute__((visibility("default"))) unsigned cuDriverGetVersion(int *version)
{
	*version = 10020;
	return 0;
}
