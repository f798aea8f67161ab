"""Exact coordinate descent, the default solver: a dense, near-optimal front in about the time of sorting the data."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from dyce_search.errors import SolverError
from dyce_search.solvers._descent_kernels import descend, encode
from dyce_search.solvers.run import Run, StopSearch
from dyce_search.solvers.trade_off import TradeOff, check_lambdas

Effort = Literal["fast", "default", "high"]

MOST_BINS = 4096  # thresholds that a line prices at most
BUCKETS = 2048  # of the archive along the cost axis: the most points that a front can have
MOST_SWEEPS = 30  # 5 to 7 are usual
SWITCHED_OFF = 0.3  # share of the exits that a kick switches off
FIRST_LAMBDAS = (0.5, 0.8, 0.95, 0.9999)
ROUND = 4  # lambdas solved side by side; fixed, so that the number of threads changes nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much work an effort means: number of lambdas, and kicks for each."""

    lambdas: int
    kicks: int


PLANS: dict[str, Plan] = {
    "fast": Plan(lambdas=8, kicks=0),
    "default": Plan(lambdas=16, kicks=2),
    "high": Plan(lambdas=32, kicks=40),
}


def coordinate_descent(
    run: Run, *, lambdas: Sequence[float] | None = None, effort: Effort = "default"
) -> None:
    if effort not in PLANS:
        raise SolverError(f"effort must be one of {', '.join(PLANS)}, got {effort!r}")
    plan = PLANS[effort]
    problem = Problem(run)
    archive = problem.archive(0.0, 1.0)
    search = Search(run, problem, plan)
    search.solve(list(FIRST_LAMBDAS))
    while len(search.solved) < plan.lambdas:
        chosen = search.next_lambdas(min(ROUND, plan.lambdas - len(search.solved)))
        if not chosen: break
        search.solve(chosen)
    search.hand_in()


class Archive:
    __slots__ = ("score", "cost", "exits", "cuts", "low", "scale")
    def __init__(self, n_positions, low, high, buckets=None):
        K = BUCKETS
        self.score=np.full(K,-np.inf); self.cost=np.zeros(K,np.int64)
        self.exits=np.full((K,n_positions),-1,np.int16); self.cuts=np.zeros((K,n_positions),np.uint16)
        self.low=float(low); self.scale=K/max(high-low,1)
    def copy(self):
        new=object.__new__(Archive)
        for n in self.__slots__:
            v=getattr(self,n); setattr(new,n,v.copy() if isinstance(v,np.ndarray) else v)
        return new
    def take(self, other):
        better=(other.score>self.score)|((other.score==self.score)&(other.cost<self.cost))
        for n in ("score","cost","exits","cuts"): getattr(self,n)[better]=getattr(other,n)[better]
    def ranged(self, low, high):
        new=Archive(self.exits.shape[1],low,high)
        used=np.flatnonzero(self.score>-np.inf)
        b=np.clip(((self.cost[used]-new.low)*new.scale).astype(np.int64),0,BUCKETS-1)
        order=np.lexsort((self.cost[used],-self.score[used]))
        bs,first=np.unique(b[order],return_index=True)
        src=used[order[first]]
        for n in ("score","cost","exits","cuts"): getattr(new,n)[bs]=getattr(self,n)[src]
        return new


class Problem:
    def __init__(self, run, bins=None):
        r=run.records; c=r.costs
        self.run=run
        E,N=r.confidence.shape; P=c.n_positions
        self.n=N; self.P=P
        B=min(bins or MOST_BINS,N)
        self.codes=np.empty((E,N),np.uint16); self.edges=np.empty((E,B),np.float32); binary=np.ones(E,bool)
        with ThreadPoolExecutor(2) as pool:
            b=np.linspace(0,E,9).astype(int)
            list(pool.map(lambda k: encode(r.confidence,r.score,b[k],b[k+1],self.codes,self.edges,binary),range(8)))
        self.score=None if binary.all() else r.score
        self.first=c.first
        self.shift=int(N).bit_length()+1
        R=1+sum(c.head[c.first[p]:c.first[p+1]].max() for p in range(P))/c.baseline
        self.cs=2.0**min(62-self.shift,52)/(2*N*R)
        self.backbone=np.round(c.backbone/c.baseline*self.cs).astype(np.int64); self.head=np.round(c.head/c.baseline*self.cs).astype(np.int64)
        self.t=TradeOff.of(r)
        self.low=int(np.round((c.alone/c.baseline).min()*self.cs*N))
        self.high=int(self.cs*N)
    def archive(self,*a): return Archive(self.P,self.low,self.high)
    def weights(self,lam):
        c=self.run.records.costs
        return lam/self.t.accuracy_span/self.n, (1-lam)/self.t.cost_span*c.baseline/self.cs/self.n
    def descend(self,lam,ex,cu,arch,max_lines=10**12):
        g,p=self.weights(lam)
        return descend(self.codes,self.score,self.first,self.backbone,self.head,g,p,ex,cu,MOST_SWEEPS,max_lines,arch.score,arch.cost,arch.exits,arch.cuts,arch.low,arch.scale,self.shift)


class Search:
    def __init__(self,run,problem,plan):
        self.run=run; self.problem=problem; self.plan=plan
        self.archive=problem.archive(); self.solved=[]
        self.lines=0
    def task(self,lam,number):
        P=self.problem; rng=np.random.default_rng([self.run.seed,number])
        arch=self.archive.copy()
        ex=np.full(P.P,-1,np.int32); cu=np.zeros(P.P,np.int32)
        best,lines=P.descend(lam,ex,cu,arch)
        g,p=P.weights(lam)
        if self.solved:
            J=p*arch.cost-g*arch.score; J[arch.score==-np.inf]=np.inf
            k=int(J.argmin())
            if J[k]<best-1e-11:
                e2,c2=arch.exits[k].astype(np.int32),arch.cuts[k].astype(np.int32)
                v,l=P.descend(lam,e2,c2,arch); lines+=l
                if v<best: best,ex,cu=v,e2,c2
        for _ in range(self.plan.kicks):
            e2=np.where(rng.random(P.P)<SWITCHED_OFF,-1,ex).astype(np.int32); c2=cu.copy()
            v,l=P.descend(lam,e2,c2,arch); lines+=l
            if v<best-1e-12: best,ex,cu=v,e2,c2
        return arch,lines
    def solve(self,lams):
        n0=len(self.solved)
        with ThreadPoolExecutor(2) as pool:
            res=list(pool.map(self.task,lams,range(n0,n0+len(lams))))
        for a,l in res: self.archive.take(a); self.lines+=l
        self.solved=sorted(self.solved+list(lams))
        if n0==0:
            k=self.best(lams[-1])
            self.archive=self.archive.ranged(self.problem.low,self.archive.cost[k]*1.02)
    def best(self,lam):
        g,p=self.problem.weights(lam)
        J=p*self.archive.cost-g*self.archive.score; J[self.archive.score==-np.inf]=np.inf
        return int(J.argmin())
    def next_lambdas(self,count):
        a=self.archive; pts=[]
        for lam in self.solved:
            k=self.best(lam); g,p=self.problem.weights(lam); pts.append((a.cost[k],a.score[k],p/g if lam else np.inf,lam))
        c=self.run.records.costs; 
        e=int(np.argmin(c.alone)); lowscore=float(self.run.records.exit_accuracy[e]*self.problem.n)
        pts=[(self.problem.low,lowscore,None,0.0)]+pts
        gaps=[]
        for (c1,s1,m1,l1),(c2,s2,m2,l2) in zip(pts,pts[1:]):
            if c2<=c1 or s2<=s1: continue
            if m1 is None:
                x=c1; 
            else:
                # s1+m1(x-c1)=s2+m2(x-c2)
                if m1-m2<=0: continue
                x=(s2-m2*c2-s1+m1*c1)/(m1-m2)
            y=s2+m2*(x-c2)
            area=abs((x-c1)*(s2-s1)-(c2-c1)*(y-s1))/2
            slope=(s2-s1)/(c2-c1)
            g1,p1=self.problem.weights(0.5)
            # p/g=slope => (1-l)/l * (p1/g1)=slope
            lam=1/(1+slope/(p1/g1))
            if not l1+1e-9<lam<l2-1e-9: lam=(l1+l2)/2
            gaps.append((area,lam))
        gaps.sort(reverse=True)
        return [l for _,l in gaps[:count]]
    def hand_in(self):
        a=self.archive
        used=np.flatnonzero(a.score>-np.inf)
        order=used[np.lexsort((-a.score[used],a.cost[used]))]
        s=a.score[order]; keep=np.concatenate([[True],s[1:]>np.maximum.accumulate(s)[:-1]])
        order=order[keep]
        ex=a.exits[order].astype(np.int32); cu=a.cuts[order]
        th=np.where(ex>=0,self.problem.edges[ex,cu],np.float32(0))
        self.run.propose(ex,th)
        self.run.evaluations+=self.lines
