import dev.autoclave.Step

/** The release gate: verify all records, then sign. */
String call(Map given = [:]) {
    return Step.run(this, 'autoclaveSign', 'sign', 'autoclave sign', given)
}
