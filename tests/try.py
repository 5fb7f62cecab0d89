import sys, traceback, importlib
from sampling import *
S = importlib.import_module(sys.argv[1]).SAMPLES
bad=0
for s in S:
    for d in s.dtypes:
        try:
            a=s.make_args(0,d); r=s(tensors(a))
            if s.numpy:
                if s.exact:
                    with np.errstate(all='ignore'): w=s.numpy(*a)
                    assert_same(r,w)
                else:
                    with np.errstate(all='ignore'): w=s.numpy(*[x.astype('f8') if d in ALL_FLOATS and x.dtype==numpy_type(d) else x for x in a])
                    w=[np.asarray(v).astype(as_array(g).dtype) for v,g in zip(flatten(w),flatten(r))]
                    assert_close(r,w,s.rtol)
        except Exception as e:
            bad+=1; print(s.name,d,type(e).__name__,str(e)[:300].replace('\n',' | '))
print(len(S),bad)
