//! The short names that the build gives to the variables of the page's scripts.

#[path = "../../build/names.rs"]
mod names;

use names::shorter;

#[test]
fn what_is_declared_behind_a_comma_gets_a_short_name_too() {
    assert_eq!(shorter("let ab=1,cd=2;f(ab,cd);"), "let a=1,b=2;f(a,b);");
    assert_eq!(
        shorter("f(()=>{let ab=[x,y],[cd]=g(x,y),ef;h(ab,cd,ef)});"),
        "f(()=>{let a=[x,y],[b]=g(x,y),c;h(a,b,c)});"
    );
}

#[test]
fn a_short_name_that_is_declared_behind_a_comma_stays_the_only_one() {
    let script = shorter("let x=1,a=2;let long=3;f(long,long);");
    assert!(!script.contains("let a=3"), "{script}");
}

#[test]
#[should_panic(expected = "two modules of the page declare limit")]
fn two_modules_declare_one_name_behind_commas() {
    shorter("let one=1,limit=2;let two=3,limit=4;");
}

#[test]
fn a_field_of_a_class_keeps_its_name_and_what_it_is_set_to_does_not() {
    assert_eq!(
        shorter("let SIZE=1;class Bars{size=SIZE;of(SIZE){return SIZE}}"),
        "let a=1;class b{size=a;of(a){return a}}"
    );
}

#[test]
fn one_declaration_after_another_goes_on_behind_a_comma() {
    assert_eq!(
        shorter(
            "let ab=1;let cd=ab;f(()=>{for(let ef=0;;){let gh=ef;let[ij]=gh;g(ij)}let{kl}=cd})"
        ),
        "let a=1,b=a;f(()=>{for(let a=0;;){let c=a,[d]=c;g(d)}let{kl:e}=b})"
    );
}
