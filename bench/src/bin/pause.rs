//! Does nothing until it is killed: what a container costs a cluster whatever is in it.

fn main() {
    loop {
        std::thread::park();
    }
}
