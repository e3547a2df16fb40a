import groovy.json.JsonOutput
import groovy.json.JsonSlurperClassic

/** java groovy.ui.GroovyMain Main.groovy SCENARIOS RESULTS: run each scenario, write how it ended. */
List scenarios = new JsonSlurperClassic().parse(new File(args[0])) as List
List results = scenarios.collect { Map scenario ->
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
new File(args[1]).text = JsonOutput.toJson(results)
