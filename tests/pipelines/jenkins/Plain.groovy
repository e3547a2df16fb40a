import com.lesfurets.jenkins.unit.BasePipelineTest
import com.lesfurets.jenkins.unit.global.lib.SourceRetriever

import static com.lesfurets.jenkins.unit.global.lib.LibraryConfiguration.library

/** Runs a Jenkinsfile with JenkinsPipelineUnit: plain Groovy, an independent loader of libraries. */
class Plain extends BasePipelineTest {
    final Host host
    final File folder
    final File jenkinsfile
    private Map context = [env: [:]]

    Plain(Host host, File folder, File jenkinsfile) {
        this.host = host
        this.folder = folder
        this.jenkinsfile = jenkinsfile
    }

    /** Run to the end; return what was thrown, or null. */
    Throwable run() {
        scriptRoots += jenkinsfile.parent
        scriptExtension = ''
        setUp()
        SourceRetriever source = { String repository, String branch, String target -> [folder.canonicalFile.toURI().toURL()] }
        helper.registerSharedLibrary(library().name('autoclave').defaultVersion('main').allowOverride(true).implicit(false)
            .targetPath('.').retriever(source).build())
        (Host.SIMPLE + Host.SYMBOLS).each { name ->
            register(name) { Object[] args -> known(name) { host.run(name, Host.named(args), context) } }
        }
        Host.BODIES.each { name ->
            register(name) { Object[] args -> known(name) { inside(host.enter(name, Host.named(args), context), args.last() as Closure) } }
        }
        helper.registerAllowedMethod('parallel', [Map]) { Map branches -> together(branches) }
        binding.setVariable('env', new Variables())
        binding.setVariable('currentBuild', new Build())
        binding.setVariable('scm', [scm: 'of this job'])
        try {
            runScript(jenkinsfile.name)
        } catch (Throwable problem) {
            return problem
        }
        return null
    }

    private void register(String name, Closure call) {
        [[], [Object]].each { helper.registerAllowedMethod(name, it as List<Class>) { Object... args -> call(args) } }
        [[], [String], [Map], [List]].each { first ->
            helper.registerAllowedMethod(name, first as List<Class>) { Object... args -> call(args) }
            helper.registerAllowedMethod(name, (first + [Closure]) as List<Class>) { Object... args -> call(args) }
        }
    }

    private Object known(String name, Closure work) {
        if (!host.has(name)) { throw Host.missing(name) }
        return work()
    }

    private Object inside(Map entered, Closure body) {
        Map before = context
        context = entered
        host.context = entered
        try {
            return body.call()
        } finally {
            host.leave(entered)
            context = before
            host.context = before
        }
    }

    private Map together(Map branches) {
        host.note('parallel', [branches: branches.keySet().toString()])
        Throwable failure = null
        Map results = [:]
        branches.each { name, body ->
            try {
                results[name] = body.call()
            } catch (Throwable problem) {
                failure = failure ?: problem
            }
        }
        if (failure) { throw failure }
        return results
    }
}
