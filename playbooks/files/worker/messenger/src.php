<?php

// SPDX-License-Identifier: GPL-3.0-or-later
// A job, what does it, and a command that adds it.

use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;
use Symfony\Component\Messenger\MessageBusInterface;

final class Record
{
    public function __construct(
        public string $name,
        public float $seconds = 0,
        public string $until = '',
        public bool $fail = false,
    ) {
    }
}

/** Take some time, or wait for a file to be there; then fail, or write into a file of the job's own. */
final class RecordHandler
{
    public function __invoke(Record $job): void
    {
        $end = microtime(true) + $job->seconds;
        while (microtime(true) < $end || ($job->until && !file_exists($job->until))) {
            usleep(5000);
            clearstatcache();
        }
        if ($job->fail) {
            throw new RuntimeException('as asked');
        }
        file_put_contents(getenv('STATE_DIRECTORY') . '/' . $job->name, 'x', FILE_APPEND);
    }
}

final class AddCommand extends Command
{
    public function __construct(private MessageBusInterface $bus)
    {
        parent::__construct('app:add');
    }

    protected function configure(): void
    {
        $this->setDescription('Add a job, or several called NAME0, NAME1 and so on')
            ->addArgument('name', InputArgument::REQUIRED)
            ->addOption('seconds', null, InputOption::VALUE_REQUIRED, '', '0')
            ->addOption('until', null, InputOption::VALUE_REQUIRED, '', '')
            ->addOption('fail', null, InputOption::VALUE_NONE)
            ->addOption('count', null, InputOption::VALUE_REQUIRED);
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $name = $input->getArgument('name');
        $count = $input->getOption('count');
        $names = null === $count ? [$name] : array_map(fn (int $number) => $name . $number, range(0, $count - 1));
        [$seconds, $until, $fail] = [$input->getOption('seconds'), $input->getOption('until'), $input->getOption('fail')];
        foreach ($names as $each) {
            $this->bus->dispatch(new Record($each, (float) $seconds, $until, $fail));
        }

        return Command::SUCCESS;
    }
}
