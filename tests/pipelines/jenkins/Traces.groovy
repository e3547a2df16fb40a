import java.beans.Introspector

/** What a scenario leaves behind in this JVM: the next one must not see it, and its classes must go. */
class Traces {
    private final Set<Class> changed = []

    Traces() {
        GroovySystem.metaClassRegistry.addMetaClassRegistryChangeEventListener { change -> changed << change.classToUpdate }
    }

    void remove() {
        Host.current = null
        Cps.running = null
        // JenkinsPipelineUnit gives classes methods of its own; Groovy keeps such classes for ever.
        List<Class> theirs = new ArrayList<>(changed)
        theirs.each { GroovySystem.metaClassRegistry.removeMetaClass(it) }
        changed.clear()
        Introspector.flushCaches()
    }
}
