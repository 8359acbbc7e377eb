//! The command; [`modpython_relink`] has all of it, so that its parts can be fuzzed.

fn main() -> std::process::ExitCode {
    modpython_relink::main()
}
