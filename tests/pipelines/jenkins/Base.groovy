import com.cloudbees.groovy.cps.Continuable
import com.cloudbees.groovy.cps.SerializableScript
import groovy.transform.CompileStatic
import org.codehaus.groovy.runtime.InvokerHelper

/** Base of the Jenkinsfile and of the library's variables. */
@CompileStatic
abstract class Base extends SerializableScript {
    private static final long serialVersionUID = 1L

    @Override
    Object invokeMethod(String name, Object args) {
        if (name in Cps.running.variables) {
            Object variable = variable(name)
            return InvokerHelper.getMetaClass(variable).invokeMethod(variable, 'call', args)
        }
        if (name in Cps.DECLARATIVE) { return Continuable.suspend(name, new Cps.Call(name, args)) }
        if (!Host.current.has(name)) { throw Host.missing(name) }
        if (name in Host.SYMBOLS) { return Host.current.run(name, Host.named(args), [:]) }
        return Continuable.suspend(name, new Cps.Call(name, args))
    }

    @Override
    Object getProperty(String name) {
        switch (name) {
            case 'env': return new Variables()
            case 'currentBuild': return new Build()
            case 'scm': return [scm: 'of this job'] as LinkedHashMap
            case 'any': return 'any'
            default: return name in Cps.running.variables ? variable(name) : super.getProperty(name)
        }
    }

    protected Object variable(String name) {
        if (!binding.hasVariable(name)) {
            binding.setVariable(name, Cps.running.loader.loadClass(name).newInstance())
        }
        return binding.getVariable(name)
    }
}
