import dev.autoclave.Step

/** Run the tests in a container of exactly that image. Returns the digests that it was about, as NAME=DIGEST. */
String call(Map given = [:]) {
    return Step.run(this, 'autoclaveUnitTest', 'unit-test', 'autoclave unit-test', given)
}
