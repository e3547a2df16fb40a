import groovy.json.JsonOutput
import groovy.json.JsonSlurperClassic

/**
 * java groovy.ui.GroovyMain Main.groovy: run scenarios until standard input ends.
 *
 * A line that comes in is a JSON list of two files: the scenarios, and where to write how they ended. It is answered
 * with a line when they have. Everything else that is printed goes to standard error: it is nobody's answer.
 */
PrintStream answers = System.out
System.out = System.err
Traces traces = new Traces()
System.in.eachLine('UTF-8') { String line ->
    def (String scenarios, String results) = new JsonSlurperClassic().parseText(line)
    List ended = (new JsonSlurperClassic().parse(new File(scenarios), 'UTF-8') as List).collect { Map scenario ->
        try {
            return ended(scenario)
        } finally {
            traces.remove()
        }
    }
    new File(results).setText(JsonOutput.toJson(ended), 'UTF-8')
    answers.println('done')
    answers.flush()
}

/** Run one scenario; return how it ended. */
Map ended(Map scenario) {
    Host host = new Host(scenario)
    File library = new File(scenario.library as String)
    File jenkinsfile = new File(scenario.jenkinsfile as String)
    long start = System.currentTimeMillis()
    Throwable failure = null
    Map more = [:]
    try {
        if (scenario.mode == 'cps') {
            Cps cps = new Cps(host, library, jenkinsfile)
            failure = cps.run()
            more = [restarts: cps.restarts]
        } else {
            failure = new Plain(host, library, jenkinsfile).run()
        }
    } catch (Throwable problem) {
        failure = problem
    }
    return host.result(failure, more + [seconds: (System.currentTimeMillis() - start) / 1000])
}
