// Command gitlab-runner is GitLab's own runner with the executors and commands that our tests need.
//
// GitLab's main package links every executor there is, and with the autoscalers modules that the Go proxy does not serve.
// Everything that runs a job is GitLab's code as it is; this file puts it together as GitLab's main does.
package main

import (
	"os"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli"

	"gitlab.com/gitlab-org/gitlab-runner/commands"
	"gitlab.com/gitlab-org/gitlab-runner/commands/helpers"
	"gitlab.com/gitlab-org/gitlab-runner/common"
	"gitlab.com/gitlab-org/gitlab-runner/executors"
	"gitlab.com/gitlab-org/gitlab-runner/executors/docker"
	"gitlab.com/gitlab-org/gitlab-runner/executors/shell"
	clihelpers "gitlab.com/gitlab-org/gitlab-runner/helpers/cli"
	"gitlab.com/gitlab-org/gitlab-runner/log"
	"gitlab.com/gitlab-org/gitlab-runner/network"

	_ "gitlab.com/gitlab-org/gitlab-runner/shells" // registers bash, which both executors write scripts for
)

func main() {
	program, err := os.Executable() // the shell executor calls it for artifacts
	if err != nil {
		logrus.Fatal(err)
	}
	providers := executors.NewProviderRegistry(map[string]common.ExecutorProvider{
		"docker": docker.NewProvider(),
		"shell":  shell.NewProvider(program),
	})
	for name, provider := range providers.All() {
		if err := common.ValidateExecutorProvider(provider); err != nil {
			logrus.Fatalf("executor %s: %v", name, err)
		}
	}
	client := network.NewGitLabClient(
		network.WithAPIRequestsCollector(network.NewAPIRequestsCollector()),
		network.WithCertificateDirectory(commands.GetDefaultCertificateDirectory()),
		network.WithExecutorProviderFunc(providers.GetByName),
	)

	app := cli.NewApp()
	app.Name = "gitlab-runner"
	app.Version = common.AppVersion.ShortLine()
	cli.VersionPrinter = common.AppVersion.Printer
	app.Commands = []cli.Command{
		commands.NewRunSingleCommand(client, providers),
		helpers.NewArtifactsDownloaderCommand(),
		helpers.NewArtifactsUploaderCommand(),
		helpers.NewCacheInitCommand(),
		helpers.NewHealthCheckCommand(),
	}
	clihelpers.InitCli()
	clihelpers.LogRuntimePlatform(app)
	clihelpers.FixHOME(app)
	log.ConfigureLogging(app)
	if err := app.Run(os.Args); err != nil {
		logrus.Fatal(err)
	}
}
