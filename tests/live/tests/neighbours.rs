//! mod_wsgi, the other module that brings Python into httpd.
//!
//! Since its version 4.0 it looks through httpd's modules for mod_python and, where it finds it, refuses the whole
//! configuration. Nothing can be served by both, then. But its refusal is the same as ever: it recognises the
//! relinked module for a mod_python, and httpd ends in order.

use modpython_live::subjects::EVERYWHERE;
use modpython_live::{Module, Setup, site};

crate::live_tests! {
    mod_wsgi_refuses_the_relinked_module_as_it_refuses_stock: EVERYWHERE.shaped(&["3.1"]),
}

const REFUSAL: &str = "The mod_python module can not be used in conjunction with mod_wsgi";

fn refusal(module: Module) -> String {
    let started = Setup::new(module).load("wsgi").directives(&site::handler("who")).start();
    started.err().expect("mod_wsgi accepted mod_python beside it: have both answer in this test").to_string()
}

fn mod_wsgi_refuses_the_relinked_module_as_it_refuses_stock() {
    for module in [Module::Stock, Module::Relinked] {
        let error = refusal(module);
        assert!(error.contains(REFUSAL) && error.contains("exit status: 1"), "{module}: {error}");
        assert!(!error.contains("Fatal Python error"), "{module}: {error}");
    }
}
