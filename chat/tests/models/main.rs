//! Exhaustive models of the protocols: every interleaving of small worlds, breadth first.
//!
//! Each model holds a protocol and switches for bad habits. The protocol as it is must have no
//! violation; with any one bad habit there must be one, which shows that the model can see it and that
//! the clause it drops is needed. Bounds are chosen so that all of them run in about a minute unoptimised.

mod explore;
mod x1;
mod x2;
mod x2b;
