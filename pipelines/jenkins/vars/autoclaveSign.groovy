import dev.autoclave.Step

/** The release gate: verify all records, then sign. Returns the digests that it was about, as NAME=DIGEST. */
String call(Map given = [:]) {
    return Step.run(this, 'autoclaveSign', 'sign', 'autoclave sign', given)
}
