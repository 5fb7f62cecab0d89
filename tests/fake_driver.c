/* A libcuda.so.1 over host memory that writes down what it is told: what NVIDIA's own
   packages make of our calls is then seen without a GPU. Functions that are not here
   say that all went well. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t u64;
typedef struct {
    unsigned gx, gy, gz, bx, by, bz, shared;
    void *stream, *attributes;
    unsigned count;
} Launch;
typedef struct { u64 flags; void *stream, *error; int result; } Instantiate;

#define SAY(...) fprintf(stderr, "cu " __VA_ARGS__)
#define DO(...) { __VA_ARGS__; return 0; }
static u64 last = 256;
static void *context, *here = &here;
static int capturing;
static void *fresh(void) { return (void *)(last += 16); }
static void *memory(size_t n) { return aligned_alloc(512, (n + 511) / 512 * 512); }

static int attribute(int which) {
    switch (which) {
    case 75: return 9;       /* compute capability, major */
    case 76: return 0;       /* and minor */
    case 16: return 132;     /* multiprocessors */
    case 97: return 232448;  /* shared memory that a block may ask for */
    default: return 1;
    }
}

int cuInit(unsigned flags) DO()
int cuDriverGetVersion(int *v) DO(*v = 13000)
int cuDeviceGetCount(int *n) DO(*n = 1)
int cuDeviceGet(int *d, int i) DO(*d = i)
int cuDeviceGetName(char *s, int n, int d) DO(strncpy(s, "Fake GPU", n))
int cuDeviceTotalMem_v2(size_t *n, int d) DO(*n = 1ull << 30)
int cuDeviceGetAttribute(int *v, int which, int d) DO(*v = attribute(which))
int cuDevicePrimaryCtxRetain(void **c, int d) DO(*c = here)
int cuCtxGetCurrent(void **c) DO(*c = context)
int cuCtxSetCurrent(void *c) DO(context = c)
int cuCtxGetDevice_v2(int *d, void *c) DO(*d = 0)
int cuCtxPushCurrent_v2(void *c) DO(context = c)
int cuCtxPopCurrent_v2(void **c) DO(if (c) *c = context)
int cuCtxGetStreamPriorityRange(int *a, int *b) DO(*a = 0; *b = -5)
int cuCtxSynchronize(void) DO(SAY("synchronize\n"))
int cuStreamCreateWithPriority(void **s, unsigned flags, int priority)
    DO(*s = fresh(); SAY("stream %p flags %u\n", *s, flags))
int cuStreamGetCtx(void *s, void **c) DO(*c = here)
int cuStreamSynchronize(void *s) DO(SAY("sync %p\n", s))
int cuStreamWaitEvent(void *s, void *e, unsigned f) DO(SAY("wait %p\n", s))
int cuEventCreate(void **e, unsigned flags) DO(*e = fresh())
int cuEventRecord(void *e, void *s) DO(SAY("record %p\n", s))
int cuEventElapsedTime_v2(float *t, void *a, void *b) DO(*t = 1.5f)
int cuMemAlloc_v2(u64 *p, size_t n) DO(*p = (u64)memory(n); SAY("alloc %zu\n", n))
int cuMemFree_v2(u64 p) DO(free((void *)p); SAY("free\n"))
int cuMemHostAlloc(void **p, size_t n, unsigned f) DO(*p = memory(n))
int cuMemFreeHost(void *p) DO(free(p))
int cuMemGetInfo_v2(size_t *a, size_t *b) DO(*a = 1 << 29; *b = 1 << 30)
int cuMemcpyHtoDAsync_v2(u64 d, void *h, size_t n, void *s)
    DO(memcpy((void *)d, h, n); SAY("h2d %zu %p\n", n, s))
int cuMemcpyDtoHAsync_v2(void *h, u64 d, size_t n, void *s)
    DO(memcpy(h, (void *)d, n); SAY("d2h %zu %p\n", n, s))
int cuMemcpyDtoDAsync_v2(u64 d, u64 h, size_t n, void *s)
    DO(memcpy((void *)d, (void *)h, n); SAY("d2d %zu %p\n", n, s))
int cuMemsetD8Async(u64 d, unsigned char c, size_t n, void *s)
    DO(memset((void *)d, c, n); SAY("memset %zu %p\n", n, s))
int cuLibraryLoadData(void **l, const void *c, void *a, void *b, unsigned n, void *d,
                      void *e, unsigned m) DO(*l = fresh(); SAY("load\n"))
int cuLibraryGetKernel(void **k, void *l, const char *name)
    DO(*k = fresh(); SAY("kernel %s\n", name))
int cuKernelSetAttribute(int which, int value, void *k, int d)
    DO(SAY("attribute %d %d device %d\n", which, value, d))
int cuLaunchKernelEx(const Launch *c, void *f, void **p, void **extra) {
    u64 *a = p[0], *b = p[1];
    int *n = p[2];
    u64 *scratch = p[3], *profile = p[4];
    SAY("launch %u %u %u of %u, shared %u, on %p: ", c->gx, c->gy, c->gz, c->bx,
        c->shared, c->stream);
    fprintf(stderr, "%lu %lu %d %lu %lu\n", *a, *b, *n, *scratch, *profile);
    return 0;
}
int cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                   unsigned by, unsigned bz, unsigned shared, void *s, void **p,
                   void **extra) {
    Launch all = {gx, gy, gz, bx, by, bz, shared, s, 0, 0};
    return cuLaunchKernelEx(&all, f, p, extra);
}
int cuStreamBeginCapture_v2(void *s, int mode)
    DO(capturing = 1; SAY("begin %p mode %d\n", s, mode))
int cuStreamEndCapture(void *s, void **g) DO(capturing = 0; *g = fresh(); SAY("end\n"))
int cuStreamIsCapturing(void *s, int *v) DO(*v = capturing)
int cuStreamGetCaptureInfo_v3(void *s, int *v, u64 *id, void **g, void *d, void *e,
                              size_t *n)
    DO(*v = capturing; if (id) *id = 1; if (g) *g = here; if (n) *n = 0)
int cuGraphInstantiateWithParams(void **g, void *h, Instantiate *p)
    DO(*g = fresh(); p->result = 0)
int cuGraphLaunch(void *g, void *s) DO(SAY("graph %p\n", s))

static int fine(void) { return 0; }
int cuGetProcAddress_v2(const char *name, void **found, int v, u64 flags, int *status) {
    static const char *endings[] = {"_v3", "_v2", ""};
    void *self = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    char full[200];
    *found = 0;
    for (int i = 0; i < 3 && !*found; i++) {
        snprintf(full, sizeof full, "%s%s", name, endings[i]);
        *found = dlsym(self, full);
    }
    if (!*found) *found = (void *)fine;
    if (status) *status = 0;
    return 0;
}
