import dev.autoclave.Step

/** Scan the built image. */
String call(Map given = [:]) {
    return Step.run(this, 'autoclaveScan', 'scan', 'autoclave scan', given)
}
