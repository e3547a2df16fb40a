import hudson.AbortException

import java.nio.file.Files
import java.nio.file.Path
import java.util.regex.Pattern

/**
 * A Jenkins of one build: its steps, where `sh` really runs /bin/sh. Agents are folders, each with a home of its own.
 *
 * A double: a real Jenkins cannot run here. How steps behave was read in their sources: withEnv (EnvStep: nothing
 * is expanded, an empty value removes the variable), input (one parameter is the answer itself), a missing step
 * (DSL: NoSuchMethodError), sh (a control folder beside the working folder, `sh -xe`).
 */
class Host {
    static final List<String> BODIES = ['node', 'stage', 'dir', 'withEnv', 'withCredentials', 'lock', 'timeout']
    static final List<String> SYMBOLS = ['file', 'zip', 'usernamePassword', 'sarif']
    static final List<String> SIMPLE = [
        'echo', 'error', 'sh', 'checkout', 'stash', 'unstash', 'readFile', 'writeFile', 'fileExists', 'deleteDir',
        'junit', 'archiveArtifacts', 'input', 'recordIssues',
    ]
    static Host current

    final Map scenario
    final File root
    /** Where the agents keep their workspaces: of several builds, if a scenario says so. */
    final File machines
    final Map<String, String> globals = [:]
    final Map build = [description: null]
    final List<Map> events = []
    final StringBuilder console = new StringBuilder()
    final Map<String, File> stashes = [:]
    final List<Map> archived = []
    final List<String> bound = []
    final List<String> scripts = []
    final List<String> junits = []
    final List<String> issues = []
    final List<String> locks = []
    final Set<String> busy = []
    final Set<String> secrets = []
    int agents = 0
    /** The environment that a read of `env` sees: that of the body which runs now. */
    Map context = [env: [:]]

    Host(Map scenario) {
        this.scenario = scenario
        root = new File(scenario.root as String)
        machines = new File((scenario.machines ?: scenario.root) as String)
        globals.putAll((scenario.build ?: [:]) as Map<String, String>)
        current = this
    }

    boolean has(String name) {
        if (name == 'lock' || name == 'recordIssues' || name == 'sarif') {
            return name in (scenario.containsKey("plugins") ? scenario.plugins : ["lock", "recordIssues", "sarif"])
        }
        return name in BODIES || name in SIMPLE || name in SYMBOLS || name == 'parallel'
    }

    static NoSuchMethodError missing(String name) { new NoSuchMethodError("No such DSL method '${name}' found among steps".toString()) }

    String environment(String name) { visible(context)[name] }

    Map<String, String> visible(Map at) {
        Map<String, String> found = [:]
        if (at.workspace) {
            found.putAll(scenario.environment as Map<String, String>)
            found.WORKSPACE = at.workspace as String
            found.XDG_CONFIG_HOME = at.home as String
        }
        found.putAll(globals)
        at.env.each { name, value -> value == '' ? found.remove(name) : found.put(name, value) }
        return found
    }

    /** Begin the body of a step: return the context that its body runs in. */
    Map enter(String name, Map given, Map at) {
        note(name, given)
        Map inside = new LinkedHashMap(at) + [env: new LinkedHashMap(at.env), left: [:]]
        switch (name) {
            case 'node':
                String folder = scenario.oneAgent ? 'agent' : "agent-${++agents}"
                int number = 1
                while (!busy.add(folder + (number > 1 ? "@${number}" : ''))) { number++ }
                inside.left = [busy: folder + (number > 1 ? "@${number}" : '')]
                File workspace = new File(machines, "${folder}/workspace/device" + (number > 1 ? "@${number}" : ''))
                workspace.mkdirs()
                inside.workspace = workspace.path
                inside.cwd = workspace.path
                inside.home = new File(machines, "${folder}/home").path
                break
            case 'stage':
                say("[Pipeline] { (${given.value})")
                break
            case 'dir':
                inside.cwd = new File(at.cwd as String, given.value as String).toPath().normalize().toString()
                break
            case 'withEnv':
                given.value.each { String pair ->
                    int split = pair.indexOf('=')
                    inside.env[pair.substring(0, split)] = pair.substring(split + 1)
                }
                break
            case 'withCredentials':
                given.value.each { bind(it as Map, inside) }
                break
            case 'lock':
                locks << (given.resource as String)
                if (!busy.add('lock ' + given.resource)) { throw new IllegalStateException("${given.resource} is locked twice") }
                inside.left = [busy: 'lock ' + given.resource]
                break
        }
        return inside
    }

    void leave(Map inside) {
        if (inside.left.busy) { busy.remove(inside.left.busy) }
        inside.left.files?.each { new File(it as String).deleteDir() }
    }

    private void bind(Map binding, Map inside) {
        String id = binding.credentialsId
        Map secret = scenario.credentials?.get(id) as Map
        if (secret == null) { throw new AbortException("Could not find credentials entry with ID '${id}'") }
        bound << id
        File folder = new File(inside.workspace + '@tmp/secretFiles/' + UUID.randomUUID())
        if (binding.symbol == 'usernamePassword') {
            inside.env[binding.usernameVariable as String] = secret.user
            inside.env[binding.passwordVariable as String] = secret.password
            secrets << (secret.password as String)
        } else if (binding.symbol == 'file') {
            folder.mkdirs()
            File file = new File(folder, new File(secret.file as String).name)
            file.bytes = new File(secret.file as String).bytes
            // As FileBinding of the credentials-binding plugin leaves it: chmod(0400).
            java.nio.file.Files.setPosixFilePermissions(
                file.toPath(), java.nio.file.attribute.PosixFilePermissions.fromString('r--------'))
            inside.env[binding.variable as String] = file.path
            inside.left.files = (inside.left.files ?: []) + folder.path
        } else if (binding.symbol == 'zip') {
            folder.mkdirs()
            new File(secret.folder as String).eachFile { new File(folder, it.name).bytes = it.bytes }
            inside.env[binding.variable as String] = folder.path
            inside.left.files = (inside.left.files ?: []) + folder.path
        }
    }

    /** Run a step without a body. */
    Object run(String name, Map given, Map at) {
        if (name in SYMBOLS) { return [symbol: name] + given }
        note(name, given)
        switch (name) {
            case 'echo': say(given.value as String); return null
            case 'error': throw new AbortException(given.value as String)
            case 'input': return asked(given)
        }
        if (!at.workspace) { throw new IllegalStateException("${name} needs a node") }
        File here = new File(at.cwd as String)
        switch (name) {
            case 'sh': return shell(given, at)
            case 'checkout': return checkout(here)
            case 'stash': return stash(given, here)
            case 'unstash': return unstash(given.value as String, here)
            case 'readFile': return new File(here, given.file as String).getText('UTF-8')
            case 'writeFile':
                File file = new File(here, given.file as String)
                file.parentFile.mkdirs()
                file.setText(given.text as String, 'UTF-8')
                return null
            case 'fileExists': return new File(here, given.value as String).exists()
            case 'deleteDir': here.deleteDir(); return null
            case 'junit':
                junits.addAll(matching(here, given.testResults as String)*.path)
                return null
            case 'recordIssues':
                given.tools.each { issues.addAll(matching(here, it.pattern as String)*.path) }
                return null
            case 'archiveArtifacts':
                matching(here, given.artifacts as String).findAll { it.name != '.lock' }.each { file ->
                    String path = here.toPath().relativize(file.toPath())
                    File kept = new File(root, 'archive/' + path)
                    kept.parentFile.mkdirs()
                    kept.bytes = file.bytes
                    archived << [path: path, fingerprint: given.fingerprint as boolean]
                }
                return null
        }
        throw new IllegalStateException(name)
    }

    private Object asked(Map given) {
        say("${given.message}\n${given.ok} or Abort")
        if (scenario.answer == 'abort') { throw new AbortException('Rejected') }
        return given.submitterParameter ? scenario.answer : null
    }

    private Object shell(Map given, Map at) {
        String script = given.script ?: given.value
        scripts << script
        File control = new File(at.cwd + '@tmp/durable-' + UUID.randomUUID().toString().take(8))
        control.mkdirs()
        File file = new File(control, 'script.sh')
        file.text = script
        ProcessBuilder builder = new ProcessBuilder('/bin/sh', '-xe', file.path)
        builder.directory(new File(at.cwd as String))
        builder.environment().clear()
        builder.environment().putAll(visible(at))
        builder.redirectErrorStream(true).redirectInput(new File('/dev/null'))
        Process process = builder.start()
        say(process.inputStream.getText('UTF-8'))
        int code = process.waitFor()
        control.deleteDir()
        events << [step: 'ended', script: script, code: code]
        if (given.returnStatus) { return code }
        if (code != 0) { throw new AbortException("script returned exit code ${code}") }
        return null
    }

    private Map checkout(File here) {
        String repository = scenario.repository
        if (!new File(here, '.git').exists()) { git(here, 'clone', '-q', repository, '.') }
        git(here, 'fetch', '-q', 'origin')
        String commit = (scenario.commits ? scenario.commits[Math.min(agents, scenario.commits.size()) - 1] : git(here, 'rev-parse', 'origin/HEAD')).trim()
        git(here, 'checkout', '-q', '-f', commit)
        return [GIT_COMMIT: commit, GIT_URL: repository]
    }

    private static String git(File here, String... words) {
        Process process = (['git'] + (words as List)).execute(null as List, here)
        String text = process.text
        if (process.waitFor() != 0) { throw new AbortException("git ${words} failed: ${process.err.text}") }
        return text
    }

    private Object stash(Map given, File here) {
        List<File> files = here.exists() ? matching(here, given.includes as String) : []
        if (!files && !given.allowEmpty) { throw new AbortException("No files included in stash '${given.name}'") }
        File folder = new File(root, 'stashes/' + given.name)
        folder.deleteDir()
        files.each { link(it.toPath(), folder.toPath().resolve(here.toPath().relativize(it.toPath()))) }
        stashes[given.name as String] = folder
        return null
    }

    private Object unstash(String name, File here) {
        if (!stashes[name]) { throw new AbortException("No such saved stash '${name}'") }
        File folder = stashes[name]
        if (folder.exists()) {
            folder.eachFileRecurse { if (it.file) { link(it.toPath(), here.toPath().resolve(folder.toPath().relativize(it.toPath()))) } }
        }
        return null
    }

    /** Layers of images are linked, not copied: they are never changed. */
    private static void link(Path from, Path to) {
        Files.createDirectories(to.parent)
        Files.deleteIfExists(to)
        Files.size(from) > 1_000_000 ? Files.createLink(to, from) : Files.copy(from, to)
    }

    private static List<File> matching(File here, String includes) {
        List<Pattern> patterns = includes.split(',')*.trim().collect { Pattern.compile(expression(it)) }
        List<File> found = []
        if (here.exists()) {
            here.eachFileRecurse { file ->
                String path = here.toPath().relativize(file.toPath())
                if (file.file && patterns.any { it.matcher(path).matches() }) { found << file }
            }
        }
        return found.sort { it.path }
    }

    private static String expression(String glob) {
        return glob.replace('.', '\\.').replace('/**/', '\u0002').replace('/**', '\u0001').replace('*', '[^/]*')
            .replace('\u0001', '/.*').replace('\u0002', '/(.*/)?')
    }

    void note(String name, Map given) {
        events << [step: name, given: given.collectEntries { key, value -> [key.toString(), value?.toString()] }]
    }

    void say(String text) {
        secrets.each { text = text.replace(it, '****') }
        console << text << '\n'
    }

    Map result(Throwable failure, Map more) {
        Throwable cause = failure
        while (cause?.cause && !(cause instanceof AbortException)) { cause = cause.cause }
        return [
            result: failure == null ? 'SUCCESS' : 'FAILURE', error: cause?.message, kind: cause?.class?.name,
            trace: cause == null || cause instanceof AbortException ? '' : trace(cause),
            console: console.toString(), events: events, archived: archived, bound: bound, scripts: scripts, junits: junits,
            issues: issues, locks: locks, description: build.description, stashes: stashes.keySet() as List,
        ] + more
    }

    private static String trace(Throwable cause) {
        StringWriter text = new StringWriter()
        cause.printStackTrace(new PrintWriter(text))
        return text.toString().take(4000)
    }

    /** Bring the arguments of a call into one map; a single unnamed one is called `value`. Closures are left out. */
    static Map named(Object args) {
        List list = (args instanceof Object[] ? args as List : [args]).findAll { !(it instanceof Closure) }
        if (!list) { return [:] }
        if (list[0] instanceof Map) { return new LinkedHashMap(list[0] as Map) }
        return [value: list[0] instanceof GString ? list[0].toString() : list[0]]
    }
}

/** What a script reads as `env`: the variables of the build, and those of the body it stands in. */
class Variables implements Serializable {
    private static final long serialVersionUID = 1L

    Object getProperty(String name) { Host.current.environment(name) }

    void setProperty(String name, Object value) { Host.current.globals[name] = value?.toString() }
}

/** What a script reads as `currentBuild`. */
class Build implements Serializable {
    private static final long serialVersionUID = 1L

    String getDescription() { Host.current.build.description }

    void setDescription(String text) { Host.current.build.description = text }
}
