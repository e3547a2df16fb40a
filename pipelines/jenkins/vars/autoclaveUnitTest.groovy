import dev.autoclave.Step

/** Run the tests in a container of exactly the built image. */
String call(Map given = [:]) {
    return Step.run(this, 'autoclaveUnitTest', 'unit-test', 'autoclave unit-test', given)
}
