import com.cloudbees.groovy.cps.Continuable
import com.cloudbees.groovy.cps.CpsTransformer
import com.cloudbees.groovy.cps.ObjectInputStreamWithLoader
import com.cloudbees.groovy.cps.Outcome
import com.cloudbees.groovy.cps.SerializableScript
import com.cloudbees.groovy.cps.impl.CpsCallableInvocation
import com.lesfurets.jenkins.unit.global.lib.Library
import groovy.transform.CompileStatic
import org.codehaus.groovy.control.CompilationUnit
import org.codehaus.groovy.control.CompilerConfiguration
import org.codehaus.groovy.control.Phases
import org.codehaus.groovy.control.customizers.ImportCustomizer

/**
 * Runs a Jenkinsfile and the library as Jenkins does, in continuation-passing style, and restarts the controller
 * at every step: the whole program is written out, and read back with classes that were loaded anew.
 */
class Cps {
    /** Everything that a restart keeps. */
    static class Program implements Serializable {
        private static final long serialVersionUID = 1L
        List<Task> tasks = []
    }

    /** The main program, or the body of a step. */
    static class Task implements Serializable {
        private static final long serialVersionUID = 1L
        Continuable code
        Map context
        Outcome next = new Outcome(null, null)
        Task parent
        String branch
        boolean entered
        int open
        Map results = [:]
        Throwable failure
    }

    /** A call of a step, as the program left off for it. */
    static class Call implements Serializable {
        private static final long serialVersionUID = 1L
        final String name
        final List args

        Call(String name, Object args) {
            this.name = name
            this.args = new ArrayList(Arrays.asList((Object[]) args))
        }
    }

    /** Classes of one life of the controller. Compiled statically: Groovy's own lookups would come back here. */
    @CompileStatic
    static class Loader extends ClassLoader {
        private final Map<String, byte[]> classes

        Loader(Map<String, byte[]> classes, ClassLoader parent) {
            super(parent)
            this.classes = classes
        }

        @Override
        protected Class<?> findClass(String name) {
            byte[] bytes = classes.get(name)
            if (bytes == null) {
                throw new ClassNotFoundException(name)
            }
            return defineClass(name, bytes, 0, bytes.length)
        }
    }

    static final List<String> DECLARATIVE = ['pipeline', 'agent', 'stages', 'steps', 'script']
    /** Libraries by their sources. Bytes alone: every life of a controller has classes of its own. */
    private static final Map<Map<String, String>, Map<String, byte[]>> COMPILED = [:]
    static Cps running

    final Host host
    final Set<String> variables
    final Map<String, byte[]> classes
    ClassLoader loader
    int restarts = 0

    Cps(Host host, File library, File jenkinsfile) {
        this.host = host
        running = this
        List<File> sources = []
        library.eachFileRecurse { if (it.name.endsWith('.groovy')) { sources << it } }
        variables = sources.findAll { it.parentFile.name == 'vars' }.collect { it.name - '.groovy' } as Set
        Map<String, String> texts = sources.collectEntries { [(it.name - '.groovy'): it.text] }
        if (!COMPILED.containsKey(texts)) { COMPILED[texts] = compiled(texts, library) }
        classes = COMPILED[texts] + compiled([WorkflowScript: jenkinsfile.text], library)
        load()
    }

    private static Map<String, byte[]> compiled(Map<String, String> sources, File library) {
        CompilerConfiguration configuration = new CompilerConfiguration(scriptBaseClass: Base.name)
        ImportCustomizer imports = new ImportCustomizer()
        imports.addImports(Library.name)
        configuration.addCompilationCustomizers(imports, new CpsTransformer())
        GroovyClassLoader parent = new GroovyClassLoader(Cps.classLoader, configuration)
        parent.addClasspath(new File(library, 'src').path)
        CompilationUnit unit = new CompilationUnit(configuration, null, parent)
        sources.each { name, text -> unit.addSource(name + '.groovy', text) }
        unit.compile(Phases.CLASS_GENERATION)
        return unit.classes.collectEntries { [(it.name): it.bytes] }
    }

    private void load() {
        loader = new Loader(classes, Cps.classLoader)
    }

    /** Write the program out, forget every class, and read it back. */
    private Program restarted(Program program) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream()
        new ObjectOutputStream(bytes).withStream { it.writeObject(program) }
        restarts++
        load()
        return new ObjectInputStreamWithLoader(new ByteArrayInputStream(bytes.toByteArray()), loader).readObject() as Program
    }

    /** Run to the end; return what was thrown, or null. */
    Throwable run() {
        Program program = new Program()
        SerializableScript script = loader.loadClass('WorkflowScript').newInstance() as SerializableScript
        Task main = new Task(code: new Continuable(script), context: [env: [:]])
        program.tasks << main
        while (true) {
            program = restarted(program)
            int number = program.tasks.findIndexOf { it.next != null }
            Task task = program.tasks[number]
            host.context = task.context
            Outcome outcome = task.code.run0(task.next, Continuable.categories)
            task.next = null
            if (!task.code.isResumable()) {
                if (task.parent == null) { return outcome.abnormal }
                ended(program, task, outcome)
                continue
            }
            Call call = outcome.normal as Call
            task.results.call = call
            program = restarted(program)
            task = program.tasks[number]
            perform(program, task, task.results.remove('call') as Call)
        }
    }

    private void perform(Program program, Task task, Call call) {
        Map given = Host.named(call.args as Object[])
        Closure body = call.args.find { it instanceof Closure } as Closure
        try {
            if (call.name == 'parallel' && !body) {
                host.note('parallel', [branches: given.keySet().toString()])
                given.each { name, closure ->
                    if (closure instanceof Closure) { begin(program, task, closure, task.context, name as String, false) }
                }
            } else if (call.name in DECLARATIVE || call.name == 'parallel') {
                Map inside = call.name == 'pipeline' ? host.enter('node', [:], task.context) : task.context
                if (call.name == 'pipeline') { host.run('checkout', [:], inside) }
                body ? begin(program, task, body, inside, '', call.name == 'pipeline') : (task.next = new Outcome(null, null))
            } else if (body) {
                begin(program, task, body, host.enter(call.name, given, task.context), '', true)
            } else {
                task.next = new Outcome(host.run(call.name, given, task.context), null)
            }
        } catch (Exception problem) {
            task.next = new Outcome(null, problem)
        }
    }

    private static void begin(Program program, Task parent, Closure body, Map context, String branch, boolean entered) {
        Map inside = new LinkedHashMap(context)
        if (!entered) { inside.left = [:] }
        Continuable code
        try {
            body.call()
            throw new IllegalStateException('a body that is not transformed')
        } catch (CpsCallableInvocation invocation) {
            code = new Continuable(invocation.asBlock())
        }
        parent.open++
        program.tasks << new Task(code: code, context: inside, parent: parent, branch: branch, entered: entered)
    }

    private void ended(Program program, Task task, Outcome outcome) {
        program.tasks.remove(task)
        if (task.entered) { host.leave(task.context) }
        Task parent = task.parent
        if (outcome.abnormal && !parent.failure) { parent.failure = outcome.abnormal }
        if (task.branch) { parent.results[task.branch] = outcome.normal }
        if (--parent.open > 0) { return }
        Object value = task.branch ? new LinkedHashMap(parent.results) : outcome.normal
        parent.next = new Outcome(parent.failure ? null : value, parent.failure)
        parent.results.clear()
        parent.failure = null
    }
}
