import dev.autoclave.Flow

/** Build, test and scan, sign, deploy. */
String call(Map given = [:]) {
    return Flow.run(this, given)
}
