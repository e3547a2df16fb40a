/**
 * Start Hudson on a Java that is 15 years younger than it.
 *
 * Its XStream looks at the name of the vendor to find out whether fields can be set without a constructor. A
 * Java of today overwrites that name when it is given on the command line, so it is set here, before Hudson's own main.
 */
public class Boot {
    public static void main(String[] words) throws Exception {
        System.setProperty("java.vendor", "Sun Microsystems Inc.");
        System.setProperty("java.vm.vendor", "Sun Microsystems Inc.");
        System.setProperty("java.version", "1.6.0_45");
        System.setProperty("java.specification.version", "1.6");
        Class.forName("Main").getMethod("main", String[].class).invoke(null, (Object) words);
    }
}
